// Extensions look for htmx on the window, so it has to be there before they are read.
import htmx from "htmx.org/dist/htmx.esm.min.js";

window.htmx = htmx;
