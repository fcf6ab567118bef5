// Before the first widget: sliders get names and words for their values.

import {watchShadows} from "./shadows.js"

watchShadows()
