// The search box: `/` leads to it; filters fold on narrow screens; a new order needs no button.
// Searching while one types is htmx's, by attributes of the form.

/** @param {Document} page */
export function startSearch(page) {
  page.addEventListener("keydown", (event) => focusOnSlash(page, event));
  page.addEventListener("change", submitOrder);
  page.addEventListener("htmx:configRequest", (event) => addToken(page, event));
  page.addEventListener("htmx:afterSettle", () => foldFilters(page));
  foldFilters(page);
}

/**
 * @param {Document} page
 * @param {KeyboardEvent} event
 */
function focusOnSlash(page, event) {
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const box = page.getElementById("q");
  if (event.key === "/" && isPlain && !isWriting(event.target) && box instanceof HTMLInputElement) {
    event.preventDefault();
    box.focus();
    box.select();
  }
}

/** @param {EventTarget | null} target */
function isWriting(target) {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input, textarea, select"))
  );
}

/** @param {Event} event */
function submitOrder(event) {
  if (event.target instanceof HTMLSelectElement && event.target.matches("[data-submit]")) {
    event.target.form?.requestSubmit();
  }
}

// Whatever a script fetches has to prove that it comes from our page (server/security.py).
/**
 * @param {Document} page
 * @param {Event} event
 */
function addToken(page, event) {
  const token = page.querySelector('meta[name="xsrf-token"]');
  if (event instanceof CustomEvent && token instanceof HTMLMetaElement) {
    event.detail.headers["X-XSRF-Token"] = token.content;
  }
}

/** @param {Document} page */
function foldFilters(page) {
  const filters = page.querySelector("details.facets");
  if (filters instanceof HTMLDetailsElement && matchMedia("(max-width: 860px)").matches) {
    filters.open = false;
  }
}
