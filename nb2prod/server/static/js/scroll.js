// What scrolls can be reached by keyboard: browsers other than Chromium leave it out.

const SCROLLERS = ".output, .output pre, .source pre, .prose pre, .prose table, .math";

/** @param {Document} page */
export function startScroll(page) {
  markScrollers(page);
  // A folded part has no size; `toggle` does not bubble, so it is caught on its way down.
  page.addEventListener("toggle", () => markScrollers(page), true);
  page.defaultView?.addEventListener("resize", () => markScrollers(page));
}

/** @param {Document} page */
function markScrollers(page) {
  for (const element of page.querySelectorAll(SCROLLERS)) {
    if (element instanceof HTMLElement && isLargerThanItsPlace(element)) {
      element.tabIndex = 0;
    }
  }
}

/** @param {HTMLElement} element */
function isLargerThanItsPlace(element) {
  return element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
}
