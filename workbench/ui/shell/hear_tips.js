// On every page: what bears data-tip explains itself.

import {hearTips} from "../browser/tips.js"

hearTips()
