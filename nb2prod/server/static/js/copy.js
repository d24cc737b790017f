// Buttons that copy what their `data-copy` says, and tell that they did.

const SHOWN_MS = 1500;

/** @param {Document} page */
export function startCopy(page) {
  for (const button of page.querySelectorAll("button[data-copy]")) {
    if (button instanceof HTMLButtonElement) {
      button.hidden = false;
    }
  }
  const status = page.createElement("p");
  status.className = "sr-only";
  status.setAttribute("role", "status");
  page.body.append(status);
  page.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("button[data-copy]");
    if (button instanceof HTMLButtonElement) {
      void copy(button, status);
    }
  });
}

/**
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} status
 */
async function copy(button, status) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy ?? "");
    status.textContent = "Copied";
    button.classList.add("done");
  } catch {
    // Without TLS on another host than this one, browsers give no clipboard.
    status.textContent = "Copying is not allowed here";
    button.classList.add("refused");
  }
  setTimeout(() => {
    status.textContent = "";
    button.classList.remove("done", "refused");
  }, SHOWN_MS);
}
