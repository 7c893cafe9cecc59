// Where the boxes of a graph go: each open box is laid out by itself, as one box of its parent's.
import * as dagre from "@dagrejs/dagre";

export const SIZE = { w: 160, h: 46 };
const GAP = 14;
const FRAME = { side: 20, top: 38 }; // around what an open box holds; its name is above
const QUICK = 120; // boxes up to which both directions are tried

/** Return the centres of everything shown: id → { x, y }; `shape` is the wanted width to height. */
export function place(root, arrows, boxes, open, shape) {
  const centres = new Map();
  const { move } = layOut(root, lifted(arrows, boxes), open, shape);
  move(0, 0, centres);
  return centres;
}

// An arrow between boxes of different parents is one between those around them that are siblings.
function lifted(arrows, boxes) {
  const inside = new Map();
  for (const { source, target } of arrows) {
    const around = new Map();
    for (let each = boxes.get(source); each.parent; each = each.parent) around.set(each.parent, each);
    let to = boxes.get(target);
    while (!around.has(to.parent)) to = to.parent;
    const from = around.get(to.parent);
    if (from === to) continue;
    if (!inside.has(to.parent)) inside.set(to.parent, new Map());
    inside.get(to.parent).set(`${from.id}\n${to.id}`, [from, to]);
  }
  return inside;
}

function layOut(group, inside, open, shape) {
  const sizes = new Map();
  for (const each of group.inner) sizes.set(each, !each.node && open.has(each.id) ? framed(layOut(each, inside, open, shape)) : { ...SIZE });
  const pairs = [...(inside.get(group)?.values() ?? [])];
  const tied = [...new Set(pairs.flat())];
  const loose = group.inner.filter((each) => !tied.includes(each));
  const drawn = tied.length ? ranked(tied, pairs, sizes, shape) : { w: 0, h: 0, at: new Map() };
  const shelves = packed(loose, sizes, drawn.w, shape);
  const below = drawn.h ? drawn.h + GAP * 2 : 0;
  for (const [each, { x, y }] of shelves.at) drawn.at.set(each, { x, y: y + below });
  return {
    w: Math.max(drawn.w, shelves.w),
    h: shelves.h ? below + shelves.h : drawn.h,
    move(x, y, centres) {
      for (const [each, at] of drawn.at) {
        const { w, h, move } = sizes.get(each);
        if (move) move(x + at.x - w / 2, y + at.y - h / 2, centres);
        else centres.set(each.id, { x: x + at.x, y: y + at.y });
      }
    },
  };
}

function framed({ w, h, move }) {
  const own = Math.max(w, SIZE.w);
  return {
    w: own + 2 * FRAME.side,
    h: h + FRAME.side + FRAME.top,
    move: (x, y, centres) => move(x + FRAME.side + (own - w) / 2, y + FRAME.top, centres),
  };
}

function ranked(tied, pairs, sizes, shape) {
  const one = byRank(tied, pairs, sizes, "RL");
  if (tied.length > QUICK) return one;
  const other = byRank(tied, pairs, sizes, "BT");
  const off = ({ w, h }) => Math.max(w / shape, h);
  return off(other) < off(one) ? other : one;
}

function byRank(tied, pairs, sizes, rankdir) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir, nodesep: GAP, ranksep: 44, edgesep: 6, ranker: tied.length > 200 ? "longest-path" : "network-simplex" });
  for (const each of tied) graph.setNode(each.id, { width: sizes.get(each).w, height: sizes.get(each).h });
  for (const [from, to] of pairs) graph.setEdge(from.id, to.id, {});
  dagre.layout(graph);
  const { width, height } = graph.graph();
  return { w: width, h: height, at: new Map(tied.map((each) => [each, graph.node(each.id)])) };
}

// What no arrow ties down stands in rows.
function packed(loose, sizes, width, shape) {
  const area = loose.reduce((sum, each) => sum + (sizes.get(each).w + GAP) * (sizes.get(each).h + GAP), 0);
  const wide = Math.max(width, Math.sqrt(area * shape), ...loose.map((each) => sizes.get(each).w));
  const at = new Map();
  let [x, y, high, most] = [0, 0, 0, 0];
  for (const each of loose.toSorted((a, b) => sizes.get(a).h - sizes.get(b).h)) {
    const { w, h } = sizes.get(each);
    if (x && x + w > wide) [x, y, high] = [0, y + high + GAP, 0];
    at.set(each, { x: x + w / 2, y: y + h / 2 });
    x += w + GAP;
    high = Math.max(high, h);
    most = Math.max(most, x - GAP);
  }
  return { w: most, h: loose.length ? y + high : 0, at };
}
