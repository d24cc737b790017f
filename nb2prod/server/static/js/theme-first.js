// Runs before the first paint, so that a chosen theme does not flash; no module, they come later.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("nb2prod-theme");
    if (theme === "light" || theme === "dark") {
      root.dataset.theme = theme;
    }
  } catch {
    // Storage may be forbidden; then the system's theme stays.
  }
})();
