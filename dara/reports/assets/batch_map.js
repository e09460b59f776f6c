"use strict";
// The map of the graphs: dots on a canvas that answer to pointer and keys.
function drawMap({ data, byId, make, count, only }) {
  const packages = data.packages;
  const graphs = data.graphs, size = graphs.x.length;
  const canvas = byId("canvas");
  if (!size || !canvas) return;
  const PALETTE = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#c9a227", "#9c755f", "#d37295",
    "#499894", "#86bcb6", "#8cd17d"];
  const GREY = "#98a1ae";
  const brush = canvas.getContext("2d");
  const tip = byId("tip");
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  for (let n = 0; n < size; n++) {
    [graphs.x[n], graphs.y[n]].forEach((value, axis) => {
      low[axis] = Math.min(low[axis], value);
      high[axis] = Math.max(high[axis], value);
    });
  }
  const eye = { zoom: 1, x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2 };
  const home = { ...eye };
  let width = 1, height = 1, spots = new Map(), chosen = -1;
  const largest = [...Array(size).keys()].sort((a, b) => graphs.packages[b] - graphs.packages[a] || a - b);
  const CELL = 16;
  const members = new Map();
  for (let row = 0; row < packages.name.length; row++) {
    const graph = packages.graph[row];
    if (graph === null) continue;
    const known = members.get(graph) || [];
    if (known.length < 6) known.push(row);
    members.set(graph, known);
  }
  const radius = (n) => Math.min(14, 2.5 + Math.sqrt(graphs.packages[n]) * 0.8);
  function scale() {
    const spans = [Math.max(1e-6, high[0] - low[0]), Math.max(1e-6, high[1] - low[1])];
    return eye.zoom * Math.min((width - 40) / spans[0], (height - 40) / spans[1]);
  }
  function spot(n) {
    const times = scale();
    return [width / 2 + (graphs.x[n] - eye.x) * times, height / 2 - (graphs.y[n] - eye.y) * times];
  }
  function paint() {
    const dots = window.devicePixelRatio || 1;
    width = canvas.clientWidth;
    height = canvas.clientHeight;
    canvas.width = Math.round(width * dots);
    canvas.height = Math.round(height * dots);
    brush.setTransform(dots, 0, 0, dots, 0, 0);
    brush.clearRect(0, 0, width, height);
    spots = new Map();
    brush.globalAlpha = 0.72;
    for (const n of largest) {
      const [x, y] = spot(n);
      if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
      const cluster = graphs.cluster[n];
      brush.fillStyle = cluster < 0 ? GREY : PALETTE[cluster % PALETTE.length];
      brush.beginPath();
      brush.arc(x, y, radius(n), 0, 7);
      brush.fill();
      const cell = `${Math.floor(x / CELL)},${Math.floor(y / CELL)}`;
      if (!spots.has(cell)) spots.set(cell, []);
      spots.get(cell).push(n);
    }
    brush.globalAlpha = 1;
    if (chosen >= 0) {
      const [x, y] = spot(chosen);
      brush.strokeStyle = getComputedStyle(canvas).color;
      brush.lineWidth = 2;
      brush.beginPath();
      brush.arc(x, y, radius(chosen) + 3, 0, 7);
      brush.stroke();
    }
  }
  function nearest(x, y) {
    let best = -1, least = 20;
    const column = Math.floor(x / CELL), line = Math.floor(y / CELL);
    for (let i = column - 1; i <= column + 1; i++) {
      for (let j = line - 1; j <= line + 1; j++) {
        for (const n of spots.get(`${i},${j}`) || []) {
          const [px, py] = spot(n);
          const away = Math.hypot(px - x, py - y) - radius(n);
          if (away < least) { least = away; best = n; }
        }
      }
    }
    return best;
  }
  function show(n) {
    if (n === chosen) return;
    chosen = n;
    paint();
    tip.hidden = n < 0;
    if (n < 0) return;
    const rows = members.get(n) || [];
    const names = rows.map((row) => packages.name[row]);
    if (!names.length && graphs.example[n]) names.push(graphs.example[n]);
    const lines = [make("b", names[0] || "(no name)"), ...names.slice(1).map((name) => make("div", name))];
    const more = graphs.packages[n] - names.length;
    if (more > 0) lines.push(make("div", `and ${count(more)} more with this graph`, "dim"));
    const family = graphs.family.values[graphs.family.index[n]] || "unknown";
    const where = graphs.cluster[n] < 0 ? "resembles no other graph" : `cluster ${graphs.cluster[n]}`;
    lines.push(make("div", `${family}; ${where}`, "dim"));
    tip.replaceChildren(...lines);
    const [x, y] = spot(n);
    tip.style.left = `${Math.max(0, Math.min(x + 12, width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + 12, height - tip.offsetHeight - 4))}px`;
  }
  function zoom(factor, x = width / 2, y = height / 2) {
    const before = scale();
    eye.zoom = Math.min(400, Math.max(0.5, eye.zoom * factor));
    const after = scale();
    eye.x += (x - width / 2) * (1 / before - 1 / after);
    eye.y -= (y - height / 2) * (1 / before - 1 / after);
    paint();
  }
  let held = null, moved = false;
  canvas.addEventListener("pointermove", (event) => {
    if (held) {
      const times = scale();
      eye.x = held.x - (event.offsetX - held.at[0]) / times;
      eye.y = held.y + (event.offsetY - held.at[1]) / times;
      moved = moved || Math.hypot(event.offsetX - held.at[0], event.offsetY - held.at[1]) > 4;
      paint();
    } else show(nearest(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointerleave", () => { if (document.activeElement !== canvas) show(-1); });
  canvas.addEventListener("pointerdown", (event) => {
    held = { at: [event.offsetX, event.offsetY], x: eye.x, y: eye.y };
    moved = false;
  });
  window.addEventListener("pointerup", () => { held = null; });
  const choose = () => {
    if (chosen < 0) return;
    if (graphs.cluster[chosen] < 0) only("graph", chosen);
    else only("cluster", graphs.cluster[chosen]);
  };
  canvas.addEventListener("click", (event) => { if (!moved) { show(nearest(event.offsetX, event.offsetY)); choose(); } });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return; // plain wheel scrolls the page
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const at = largest.indexOf(chosen);
    if (event.key === "ArrowRight" || event.key === "ArrowDown") show(largest[Math.min(size - 1, at + 1)]);
    else if (event.key === "ArrowLeft" || event.key === "ArrowUp") show(largest[Math.max(0, at - 1)]);
    else if (event.key === "Enter") choose();
    else if (event.key === "+") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "Escape") show(-1);
    else return;
    event.preventDefault();
  });
  byId("nearer").addEventListener("click", () => zoom(1.5));
  byId("farther").addEventListener("click", () => zoom(1 / 1.5));
  byId("reset").addEventListener("click", () => { Object.assign(eye, home); paint(); });
  new ResizeObserver(paint).observe(canvas);
  paint();
}
