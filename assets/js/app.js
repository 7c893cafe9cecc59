import "./htmx.js";
import "htmx.org/dist/ext/hx-sse.min.js";
import { startTimes } from "./times.js";
import { startForms } from "./forms.js";
import { startPalette } from "./palette.js";
import { startLogs } from "./logs.js";
import { startStreams } from "./live.js";
import { startKeeping } from "./keep.js";
import { startReturning } from "./returning.js";
import { startSteps } from "./steps.js";

startTimes();
startForms();
startReturning();
startPalette();
startLogs();
startStreams();
startKeeping();
startSteps();
