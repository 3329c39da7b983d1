// A click (or Enter) on a column's head sorts the table by it: numbers by their value, else words.
document.addEventListener("DOMContentLoaded", () => {
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replace(/[,+]/g, "").replace("<", ""));
    return [text, number];
  };
  const compare = ([a, m], [b, n]) => {
    if (!a || !b) return !a - !b; // empty cells last
    if (!isNaN(m) && !isNaN(n)) return m - n || a.localeCompare(b);
    return isNaN(m) - isNaN(n) || a.localeCompare(b);
  };
  const sort = (head, column) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const body = head.closest("table").tBodies[0];
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    rows.sort(([a], [b]) => (a[0] && b[0] && !up ? -1 : 1) * compare(a, b));
    body.append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table")) {
    const heads = table.tHead?.rows;
    if (heads?.length !== 1 || table.tBodies[0]?.rows.length < 2) continue;
    [...heads[0].cells].forEach((head, column) => {
      head.setAttribute("aria-sort", "none");
      head.tabIndex = 0;
      head.onclick = () => sort(head, column);
      head.onkeydown = (event) => event.key === "Enter" && sort(head, column);
    });
  }
});
