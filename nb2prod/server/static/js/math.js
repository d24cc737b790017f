// Draws formulas with KaTeX where the renderer marked them; without it their source stays.

/**
 * @typedef {object} Katex
 * @property {(source: string, element: HTMLElement, options: object) => void} render
 */

/** @param {Document} page */
export function startMath(page) {
  const katex = /** @type {{ katex?: Katex }} */ (/** @type {unknown} */ (globalThis)).katex;
  if (!katex) {
    return;
  }
  for (const element of page.querySelectorAll(".math")) {
    if (element instanceof HTMLElement) {
      draw(katex, element);
    }
  }
}

/**
 * @param {Katex} katex
 * @param {HTMLElement} element
 */
function draw(katex, element) {
  const source = element.textContent ?? "";
  try {
    katex.render(source, element, {
      displayMode: element.dataset.display === "1",
      // A notebook's author must get no links, images or classes out of a formula.
      trust: false,
      strict: "ignore",
      maxExpand: 500,
      maxSize: 40,
    });
  } catch (error) {
    // KaTeX would colour the faulty source by an inline style, which our policy forbids.
    element.textContent = source;
    element.classList.add("math-fault");
    element.title = error instanceof Error ? error.message : "This formula can't be set.";
  }
}
