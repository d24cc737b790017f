// The theme: as the system has it, light or dark; the choice stays in this browser.

const KEY = "nb2prod-theme";

/** @typedef {"auto" | "light" | "dark"} Theme */

/** @type {Record<Theme, { next: Theme, word: string, label: string }>} */
const THEMES = {
  auto: { next: "light", word: "Auto", label: "Theme: auto, as the system" },
  light: { next: "dark", word: "Light", label: "Theme: light" },
  dark: { next: "auto", word: "Dark", label: "Theme: dark" },
};

/** @param {Document} page */
export function startTheme(page) {
  const button = page.getElementById("theme");
  if (!(button instanceof HTMLButtonElement)) {
    return;
  }
  const root = page.documentElement;
  const show = () => describe(button, chosen(root));
  button.addEventListener("click", () => {
    choose(root, THEMES[chosen(root)].next);
    show();
  });
  show();
  button.hidden = false;
}

/**
 * @param {HTMLElement} root
 * @returns {Theme}
 */
function chosen(root) {
  const theme = root.dataset.theme;
  return theme === "light" || theme === "dark" ? theme : "auto";
}

/**
 * @param {HTMLElement} root
 * @param {Theme} theme
 */
function choose(root, theme) {
  if (theme === "auto") {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = theme;
  }
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {Theme} theme
 */
function describe(button, theme) {
  const { word, label } = THEMES[theme];
  button.setAttribute("aria-label", label);
  button.title = label;
  const text = button.querySelector(".theme-word");
  if (text) {
    text.textContent = word;
  }
}
