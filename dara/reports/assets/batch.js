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

  drawMap({ data, byId, make, count, only });
  update();
  document.documentElement.dataset.ready = "1";
})();
