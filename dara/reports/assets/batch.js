"use strict";
// Texts of strangers reach the page as text nodes and properties only; nothing is ever parsed as HTML.
(async () => {
  const ROW = 30; // pixels, as .row in the style sheet
  const byId = (id) => document.getElementById(id);
  const make = (tag, text, style) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = String(text);
    if (style) node.className = style;
    return node;
  };
  const count = (value) => (value === null || value === undefined ? "-" : value.toLocaleString("en"));
  const percent = (value) => (value === null || value === undefined ? "-" : (100 * value).toFixed(1) + " %");

  async function unpack() {
    const packed = Uint8Array.from(atob(byId("data").textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  // -- tables of the studies ---------------------------------------------------------------------------------------
  function sortable(table) {
    table.querySelectorAll("th").forEach((head, column) => {
      const button = make("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const value = (row) => {
          const cell = row.cells[column];
          const exact = cell.dataset.value;
          return exact === undefined ? cell.textContent : exact === "" ? null : Number(exact);
        };
        const rows = [...body.rows].map((row) => [value(row), row]);
        rows.sort(([a], [b]) => compare(a, b, down ? -1 : 1));
        body.replaceChildren(...rows.map(([, row]) => row));
      });
    });
  }

  function compare(a, b, sign) {
    // what is not there comes last, whichever way is sorted
    const none = (value) => value === null || value === undefined || value === "" || Number.isNaN(value);
    if (none(a) || none(b)) return Number(none(a)) - Number(none(b));
    return (a < b ? -1 : a > b ? 1 : 0) * sign;
  }

  document.querySelectorAll("table[data-sortable]").forEach(sortable);

  let data;
  try {
    data = await unpack();
  } catch (error) {
    byId("state").textContent = "This browser cannot unpack the list of packages; the tables below are complete.";
    return;
  }
  const packages = data.packages;
  const total = packages.name.length;
  const text = (column, row) => packages[column].values[packages[column].index[row]];
  const owner = (row) => packages.name[row].slice(0, Math.max(0, packages.name[row].lastIndexOf("/")));

  // -- the list of packages ----------------------------------------------------------------------------------------
  const COLUMNS = [
    ["package", (row) => packages.name[row], ""],
    ["verdict", (row) => text("verdict", row), ""],
    ["codes", (row) => text("codes", row), ""],
    ["name states", (row) => text("claimed", row), ""],
    ["package is", (row) => text("family", row), ""],
    ["downloads", (row) => packages.downloads[row], "number"],
    ["month", (row) => text("month", row), ""],
    ["cluster", (row) => packages.cluster[row], "number"],
  ];
  const EXACT = {
    family: (row) => text("family", row),
    claimed: (row) => text("claimed", row),
    month: (row) => text("month", row),
    owner,
    cluster: (row) => packages.cluster[row],
    graph: (row) => packages.graph[row],
    downloads: (row) => packages.downloads[row],
  };
  const filters = { words: "", verdict: "", code: "", outlier: false, exact: null, range: null };
  const sorting = { column: null, sign: 1 };
  let order = Uint32Array.from({ length: total }, (_, row) => row);
  let active = -1; // position in `order`
  const lower = packages.name.map((name) => name.toLowerCase());

  const view = byId("view"), space = byId("space"), head = byId("head"), state = byId("state");

  function passes(row) {
    if (filters.words && !lower[row].includes(filters.words)) return false;
    if (filters.verdict && text("verdict", row) !== filters.verdict) return false;
    if (filters.code && !text("codes", row).split(" ").includes(filters.code)) return false;
    if (filters.outlier && !packages.outlier[row]) return false;
    if (filters.exact && EXACT[filters.exact[0]](row) !== filters.exact[1]) return false;
    if (filters.range) {
      const loads = packages.downloads[row];
      if (loads === null || loads < filters.range[0] || loads > filters.range[1]) return false;
    }
    return true;
  }

  function update() {
    let found = 0;
    const rows = new Uint32Array(total);
    for (let row = 0; row < total; row++) if (passes(row)) rows[found++] = row;
    order = rows.slice(0, found);
    if (sorting.column === null) {
      const last = (row) => Number(text("verdict", row) !== "defective");
      order.sort((a, b) => last(a) - last(b) || a - b); // as the snapshot has them, defective packages first
    } else {
      const value = COLUMNS[sorting.column][1];
      const keys = new Array(total);
      for (const row of order) keys[row] = sorting.column === 0 ? lower[row] : value(row);
      order.sort((a, b) => compare(keys[a], keys[b], sorting.sign) || a - b);
    }
    active = -1;
    view.scrollTop = 0;
    space.style.height = `${order.length * ROW}px`;
    byId("grid").setAttribute("aria-rowcount", String(order.length + 1));
    const limited = data.total > total ? ` (of ${count(data.total)} in the snapshot; ${data.choice})` : "";
    state.textContent = `${count(order.length)} of ${count(total)} packages${limited}`;
    const chip = byId("chip");
    chip.hidden = !filters.exact && !filters.range;
    chip.textContent = filters.exact
      ? `only ${filters.exact[0]} ${filters.exact[1]}  ✕`
      : filters.range ? `only ${count(filters.range[0])} to ${count(filters.range[1])} downloads  ✕` : "";
    draw();
  }

  function draw() {
    const first = Math.max(0, Math.floor(view.scrollTop / ROW) - 4);
    const last = Math.min(order.length, first + Math.ceil(view.clientHeight / ROW) + 9);
    const rows = [];
    for (let place = first; place < last; place++) {
      const row = order[place];
      const line = make("div", null, place === active ? "row active" : "row");
      line.setAttribute("role", "row");
      line.setAttribute("aria-rowindex", String(place + 2));
      line.id = `r${place}`;
      line.style.top = `${place * ROW}px`;
      COLUMNS.forEach(([, value, style], column) => {
        const own = value(row);
        const shown = column === 5 || column === 7 ? count(own) : own || "-";
        const node = make("span", shown, style || (column === 1 ? own : ""));
        node.setAttribute("role", "cell");
        node.title = String(shown);
        line.append(node);
      });
      line.addEventListener("click", () => { move(place); detail(); });
      rows.push(line);
    }
    space.replaceChildren(...rows);
    if (active >= first && active < last) view.setAttribute("aria-activedescendant", `r${active}`);
    else view.removeAttribute("aria-activedescendant");
  }

  function move(place) {
    if (!order.length) return;
    active = Math.min(order.length - 1, Math.max(0, place));
    const top = active * ROW;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + ROW > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW - view.clientHeight;
    draw();
  }

  function detail() {
    if (active < 0) return;
    const row = order[active];
    const box = byId("detail");
    box.hidden = false;
    const lines = [make("h3", packages.name[row])];
    const verdict = make("p", text("verdict", row), text("verdict", row));
    lines.push(verdict);
    const message = data.messages[row];
    if (message) lines.push(make("p", message));
    lines.push(make("p", `name states ${text("claimed", row) || "no family"}; package is ${text("family", row) || "unknown"}; ` +
      `${packages.downloads[row] === null ? "downloads not known" : count(packages.downloads[row]) + " downloads"}`, "dim"));
    if (packages.cluster[row] !== null) {
      const button = make("button", `show the packages of cluster ${packages.cluster[row]}`);
      button.type = "button";
      button.addEventListener("click", () => only("cluster", packages.cluster[row]));
      lines.push(button);
    }
    box.replaceChildren(...lines);
  }

  function only(kind, value) {
    filters.range = null;
    filters.exact = [kind, value];
    update();
    byId("packages").scrollIntoView();
  }

  COLUMNS.forEach(([title, , style], column) => {
    const cell = make("span", null, style);
    cell.setAttribute("role", "columnheader");
    const button = make("button", title);
    button.type = "button";
    button.addEventListener("click", () => {
      const numeric = style === "number";
      const again = sorting.column === column;
      sorting.sign = again ? -sorting.sign : numeric ? -1 : 1;
      sorting.column = column;
      [...head.children].forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", sorting.sign > 0 ? "ascending" : "descending");
      update();
    });
    cell.append(button);
    head.append(cell);
  });
  view.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  view.addEventListener("keydown", (event) => {
    const page = Math.floor(view.clientHeight / ROW) - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    if (event.key in steps) move(active + steps[event.key]);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(order.length - 1);
    else if (event.key === "Enter") detail();
    else return;
    event.preventDefault();
  });
  byId("words").addEventListener("input", (event) => { filters.words = event.target.value.trim().toLowerCase(); update(); });
  byId("verdict").addEventListener("change", (event) => { filters.verdict = event.target.value; update(); });
  byId("outlier").addEventListener("change", (event) => { filters.outlier = event.target.checked; update(); });
  byId("chip").addEventListener("click", () => { filters.exact = filters.range = null; update(); });
  const codes = byId("code");
  for (const [code, number] of data.codes) {
    const option = make("option", `${code} (${count(number)})`);
    option.value = code;
    codes.append(option);
  }
  codes.addEventListener("change", () => { filters.code = codes.value; update(); });
  new ResizeObserver(() => draw()).observe(view);

  // -- bars --------------------------------------------------------------------------------------------------------
  const bars = byId("bars"), kinds = byId("kind");
  for (const bar of data.bars) {
    const option = make("option", bar.title);
    option.value = bar.key;
    kinds.append(option);
  }
  function drawBars() {
    const chosen = data.bars.find((bar) => bar.key === kinds.value);
    if (!chosen) return;
    const rated = chosen.rows.filter((row) => row.rate !== null);
    const most = Math.max(0.01, ...rated.map((row) => Math.min(row.high, Math.max(2 * row.rate, row.low + 0.1))));
    const nodes = [];
    for (const row of rated) {
      const name = make("button", row.label);
      name.type = "button";
      name.title = `show the packages of ${row.label}`;
      name.addEventListener("click", () => {
        if (row.range) { filters.exact = null; filters.range = row.range; update(); byId("packages").scrollIntoView(); }
        else only(chosen.filter, row.label);
      });
      const track = make("span", null, "track");
      const fill = make("i"), whisker = make("u");
      fill.style.width = `${(100 * row.rate) / most}%`;
      whisker.style.left = `${Math.min(100, (100 * row.low) / most)}%`;
      whisker.style.width = `${Math.max(0, (100 * (Math.min(row.high, most) - row.low)) / most)}%`;
      track.append(fill, whisker);
      const value = `${percent(row.rate)} (${percent(row.low)} to ${percent(row.high)}), ${count(row.defective)} of ${count(row.judged)}`;
      nodes.push(name, track, make("span", value, "value"));
    }
    bars.replaceChildren(...nodes);
    byId("bar-note").textContent = chosen.note;
  }
  kinds.addEventListener("change", drawBars);
  drawBars();

  // -- map ---------------------------------------------------------------------------------------------------------
  function map() {
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
    for (let row = 0; row < total; row++) {
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
  map();
  update();
  document.documentElement.dataset.ready = "1";
})();
