// Which boxes a graph shows: modules, types within large modules, resources. No drawing here.

const MANY = 8; // resources of a module's own from which on its types are boxes, too
const ALIKE = 3; // resources of a type that are worth a box

function box(id, label, kind, parent) {
  return { id, label, kind, parent, inner: [], count: 0 };
}

/** Return the tree of boxes: id → { label, kind, parent, inner, count, node }. */
export function grow(nodes) {
  const boxes = new Map();
  boxes.set("", box("", "", "module", null));

  function moduleOf(address) {
    if (boxes.has(address)) return boxes.get(address);
    const cut = address.lastIndexOf(".module.");
    const parent = moduleOf(cut < 0 ? "" : address.slice(0, cut));
    const made = box(address, cut < 0 ? address : address.slice(cut + 1), "module", parent);
    boxes.set(address, made);
    parent.inner.push(made);
    return made;
  }

  const own = new Map();
  for (const node of nodes) {
    const module = moduleOf(node.module);
    if (!own.has(module)) own.set(module, []);
    own.get(module).push(node);
  }
  for (const [module, members] of own) {
    const byKind = Map.groupBy(members, (node) => node.kind);
    for (const [kind, alike] of byKind) {
      let parent = module;
      if (members.length > MANY && alike.length >= ALIKE) {
        parent = box(`${module.id} ${kind}`, kind, "type", module);
        boxes.set(parent.id, parent);
        module.inner.push(parent);
      }
      for (const node of alike) {
        const made = box(node.address, node.name, "resource", parent);
        made.node = node;
        boxes.set(made.id, made);
        parent.inner.push(made);
      }
    }
  }
  count(boxes.get(""));
  return boxes;
}

function count(one) {
  one.count = one.node ? 1 : one.inner.reduce((sum, each) => sum + count(each), 0);
  return one.count;
}

/** Return the ids of the boxes that are open at first: level by level, up to `most` boxes; none for 0. */
export function openAtFirst(boxes, most) {
  const open = new Set([""]);
  let shown = boxes.get("").inner;
  for (;;) {
    const folded = shown.filter((each) => !each.node);
    const next = shown.flatMap((each) => (each.node ? [each] : each.inner));
    if (!folded.length || next.length > most) break;
    for (const each of folded) open.add(each.id);
    shown = next;
  }
  if (most) for (const one of boxes.values()) if (one.inner.length === 1) open.add(one.id);
  return open;
}

/** Return the box that stands for `one`: itself, or the outermost folded one around it. */
export function standIn(one, open) {
  let shown = one;
  for (let around = one.parent; around; around = around.parent) {
    if (!open.has(around.id)) shown = around;
  }
  return shown;
}

/** Return the boxes to draw, and the arrows between them with how many each stands for. */
export function visible(boxes, open) {
  const shown = new Set();
  const arrows = new Map();
  for (const one of boxes.values()) {
    if (!one.node) continue;
    const from = standIn(one, open);
    for (let each = from; each?.id; each = each.parent) shown.add(each);
    for (const need of one.node.needs) {
      const to = standIn(boxes.get(need), open);
      if (to === from) continue;
      const id = `${from.id} → ${to.id}`;
      if (!arrows.has(id)) arrows.set(id, { id, source: from.id, target: to.id, count: 0 });
      arrows.get(id).count += 1;
    }
  }
  return { shown: [...shown], arrows: [...arrows.values()] };
}
