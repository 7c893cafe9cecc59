// The picture of a state. The list below it in the page says the same, for whom a picture is none.
import cytoscape from "cytoscape";
import { grow, openAtFirst, standIn, visible } from "./fold.js";
import { place, SIZE } from "./placing.js";

const LONGEST = 21; // characters of a line
const READABLE = 0.55; // smallest zoom that boxes are first shown at: their text is 7 pixels high
const WIDE = 1.5; // most width to height that is drawn for: names are written from left to right
const FIRST = [36, 18, 9, 0]; // boxes shown at first: as many as can be read, seen at once
const MARGIN = 12; // pixels between what is drawn and its frame
const STEP = 60; // pixels that a key moves the picture

// A canvas knows no oklch(): the browser paints one pixel, and says which colour that is.
function colours() {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const style = getComputedStyle(document.documentElement);
  const of = (name) => {
    pen.fillStyle = style.getPropertyValue(`--color-${name}`);
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
    return `rgb(${r},${g},${b})`;
  };
  return { back: of("base-100"), frame: of("base-200"), line: of("base-300"), text: of("base-content"), strong: of("primary"), folded: of("accent") };
}

function look() {
  const { back, frame, line, text, strong, folded } = colours();
  const boxed = { shape: "round-rectangle", "font-family": "ui-sans-serif, system-ui, sans-serif", color: text };
  return [
    { selector: "node", style: { ...boxed, width: SIZE.w, height: SIZE.h, label: "data(label)", "font-size": 13, "text-wrap": "wrap", "text-valign": "center", "text-halign": "center", "line-height": 1.25, "background-color": back, "border-width": 1.5, "border-color": text, "border-opacity": 0.45 } },
    { selector: "node.data", style: { "border-style": "dashed" } },
    { selector: "node.folded", style: { "border-width": 2, "border-color": folded, "border-opacity": 1, "font-weight": "bold" } },
    { selector: "node:parent", style: { "text-valign": "top", "text-margin-y": -4, "font-size": 14, "font-weight": "bold", padding: 16, "background-color": frame, "background-opacity": 0.6, "border-width": 1, "border-color": text, "border-opacity": 0.3 } },
    { selector: "edge", style: { width: 1.4, "line-color": text, "line-opacity": 0.3, "curve-style": "bezier", "target-arrow-shape": "triangle", "target-arrow-color": text, "arrow-scale": 0.9 } },
    { selector: ".far", style: { opacity: 0.18 } },
    { selector: "node:parent.far", style: { opacity: 0.6 } },
    { selector: "node.chosen", style: { "border-color": strong, "border-opacity": 1, "border-width": 3 } },
    { selector: "edge.near", style: { "line-color": strong, "target-arrow-color": strong, "line-opacity": 1, width: 2 } },
  ];
}

const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

function labelOf(one, isOpen) {
  if (isOpen) return `${one.label}  (${one.count})`;
  if (!one.node) return `${cut(one.label)}\n${one.count} resource${one.count === 1 ? "" : "s"}`;
  return `${cut(one.node.kind)}\n${cut(one.label)}${one.node.count === 1 ? "" : ` ×${one.node.count}`}`;
}

function element(name, text, inner = []) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...inner);
  return made;
}

function draw(section, { nodes, left_out: leftOut }) {
  const part = (name) => section.querySelector(`[data-graph="${name}"]`);
  const boxes = grow(nodes);
  const neededBy = new Map();
  for (const node of nodes) {
    for (const need of node.needs) neededBy.set(need, [...(neededBy.get(need) ?? []), node.address]);
  }
  let open;
  const cy = cytoscape({ container: part("canvas"), style: look(), minZoom: 0.02, maxZoom: 2.5, boxSelectionEnabled: false, autoungrabify: true });

  // Readable first: of what does not fit, the most tied box is shown, and the rest is a drag away.
  // Returns whether it is all seen.
  function fit() {
    cy.fit(undefined, MARGIN);
    const whole = cy.zoom();
    cy.zoom({ level: Math.min(1.1, Math.max(READABLE, whole)), renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
    if (whole >= READABLE) return true;
    cy.center(cy.nodes(":childless").max((each) => each.degree(false)).ele);
    const { x1, y1, x2, y2 } = cy.elements().renderedBoundingBox();
    // No side of the canvas stays empty while there is more on the other.
    const shift = (from, to, room) => (from > MARGIN ? MARGIN - from : to < room - MARGIN && to - from > room ? room - MARGIN - to : 0);
    cy.panBy({ x: shift(x1, x2, cy.width()), y: shift(y1, y2, cy.height()) });
    return false;
  }

  function lay() {
    const { shown, arrows } = visible(boxes, open);
    const drawn = shown.map((one) => ({
      data: { id: one.id, label: labelOf(one, open.has(one.id)), parent: one.parent?.id || undefined },
      classes: [one.node?.is_data && "data", !one.node && !open.has(one.id) && "folded"].filter(Boolean),
    }));
    const centres = place(boxes.get(""), arrows, boxes, open, Math.min(WIDE, cy.width() / cy.height()));
    for (const each of drawn) each.position = centres.get(each.data.id);
    cy.batch(() => {
      cy.elements().remove();
      cy.add({ nodes: drawn, edges: arrows.map((data) => ({ data })) });
    });
    const isWhole = fit();
    const more = leftOut ? `, ${leftOut} more are not told` : "";
    const beyond = isWhole ? "" : ". There is more than fits: drag the picture, or use the arrow keys in it";
    part("said").textContent = `${shown.filter((one) => one.node).length} of ${nodes.length} resources unfolded${more}${beyond}`;
    section.dataset.boxes = shown.length;
    return isWhole;
  }

  function choose(address) {
    const one = boxes.get(address);
    for (let around = one.parent; around; around = around.parent) {
      if (!open.has(around.id)) {
        for (let each = one.parent; each; each = each.parent) open.add(each.id);
        lay();
        break;
      }
    }
    const chosen = cy.getElementById(address);
    mark(chosen);
    cy.animate({ center: { eles: chosen }, zoom: Math.max(cy.zoom(), 0.8), duration: 150 });
    tell(one.node);
  }

  function mark(chosen) {
    cy.batch(() => {
      cy.elements().removeClass("chosen near far");
      if (!chosen?.length) return;
      const near = chosen.closedNeighborhood();
      cy.elements().difference(near.union(near.ancestors())).addClass("far");
      chosen.addClass("chosen").connectedEdges().addClass("near");
    });
  }

  function links(title, addresses) {
    if (!addresses.length) return [];
    const items = addresses.slice(0, 100).map((address) => {
      const button = element("button", address);
      button.type = "button";
      button.className = "mono";
      button.addEventListener("click", () => choose(address));
      return element("li", "", [button]);
    });
    const more = addresses.length > 100 ? [element("li", `and ${addresses.length - 100} more`)] : [];
    return [element("h4", title), element("ul", "", [...items, ...more])];
  }

  function tell(node) {
    const title = element("h3", node.address);
    title.className = "mono";
    const facts = element("p", `${node.provider || "no provider"}, ${node.count === 1 ? "1 instance" : `${node.count} instances`}`);
    facts.className = "hint mb-3";
    part("side").replaceChildren(title, facts, ...links("Needs", node.needs), ...links("Needed by", neededBy.get(node.address) ?? []));
  }

  cy.on("tap", "node", ({ target }) => {
    const one = boxes.get(target.id());
    if (one.node) return choose(one.id);
    if (!open.delete(one.id)) open.add(one.id);
    return lay();
  });
  cy.on("tap", ({ target }) => target === cy && mark());

  const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
  part("canvas").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) cy.panBy({ x: moves[event.key][0], y: moves[event.key][1] });
    else if (event.key in keys) deeds[keys[event.key]]();
    else return;
    event.preventDefault();
  });
  const keys = { "+": "in", "=": "in", "-": "out", 0: "fit" };
  const zoom = (by) => cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  const deeds = {
    fold: () => ((open = new Set([""])), lay()),
    unfold: () => ((open = new Set([...boxes.values()].filter((one) => !one.node).map((one) => one.id))), lay()),
    fit: () => cy.fit(undefined, MARGIN),
    in: () => zoom(1.3),
    out: () => zoom(1 / 1.3),
  };
  for (const [name, deed] of Object.entries(deeds)) part(name).addEventListener("click", deed);
  part("find").addEventListener("input", ({ target }) => {
    const wanted = target.value.trim().toLowerCase();
    const found = wanted ? nodes.filter((node) => node.address.toLowerCase().includes(wanted)) : [];
    mark();
    if (!wanted) return;
    const shown = new Set(found.map((node) => standIn(boxes.get(node.address), open).id));
    cy.batch(() => cy.nodes().forEach((each) => void (each.isChildless() && each.toggleClass("far", !shown.has(each.id())))));
    part("side").replaceChildren(...(found.length ? links(found.length === 1 ? "Found" : `Found ${found.length}`, found.map((node) => node.address)) : [element("p", "No resource has that in its address.")]));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(look()));
  FIRST.some((most) => {
    open = openAtFirst(boxes, most);
    return lay();
  });
}

// A link into the list opens the module that holds its resource.
function unfoldList() {
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("details")?.setAttribute("open", "");
}

addEventListener("hashchange", unfoldList);
unfoldList();

async function start(section) {
  const answer = await fetch(section.dataset.from, { credentials: "same-origin" });
  if (!answer.ok) return; // the list is there
  const data = await answer.json();
  section.hidden = false;
  draw(section, data);
}

const section = document.getElementById("graph");
if (section) start(section);
