// Puts the modules to work. Every page works without them; they add comfort.
import { startCode } from "./code.js";
import { startCopy } from "./copy.js";
import { startLive } from "./live.js";
import { startMath } from "./math.js";
import { startScroll } from "./scroll.js";
import { startSearch } from "./search.js";
import { startTheme } from "./theme.js";

startTheme(document);
startSearch(document);
startCode(document);
startCopy(document);
startMath(document);
startScroll(document);
startLive(document);
