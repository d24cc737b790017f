// Code is folded cell by cell (<details>); one button shows or hides all of it.

/** @param {Document} page */
export function startCode(page) {
  const cells = [...page.querySelectorAll("details.code")].filter(
    (cell) => cell instanceof HTMLDetailsElement,
  );
  const button = page.getElementById("toggle-code");
  if (cells.length === 0 || !(button instanceof HTMLButtonElement)) {
    return;
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    const isShown = button.getAttribute("aria-pressed") !== "true";
    for (const cell of cells) {
      cell.open = isShown;
    }
    button.setAttribute("aria-pressed", String(isShown));
    button.textContent = isShown ? "Hide all code" : "Show all code";
  });
  for (const cell of cells) {
    addCopyButton(page, cell);
  }
}

/**
 * @param {Document} page
 * @param {HTMLDetailsElement} cell
 */
function addCopyButton(page, cell) {
  const source = cell.querySelector(".source");
  if (!source) {
    return;
  }
  const button = page.createElement("button");
  button.type = "button";
  button.className = "copy-code";
  button.dataset.copy = source.textContent?.replace(/\n$/, "") ?? "";
  button.textContent = "Copy";
  cell.append(button);
}
