// Before the first widget: sliders get names and words for their values, and what bears data-tip explains itself.

import {watchShadows} from "./shadows.js"

watchShadows()
