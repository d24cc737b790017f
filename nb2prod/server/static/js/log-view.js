// A log that grows: lines as a terminal shows them, only its end kept, in sight while one is there.

const MAX_LINES = 5000;
const NEAR_PX = 40;

export class LogView {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    /** @type {HTMLElement | null} The line that has no end yet. */
    this.open = null;
  }

  clear() {
    this.element.replaceChildren();
    this.open = null;
  }

  /**
   * @param {string} text
   * @param {string | undefined} stream `stdout` or `stderr`; others are whole outputs.
   */
  add(text, stream) {
    const view = this.element;
    const isAtEnd = view.scrollHeight - view.scrollTop - view.clientHeight < NEAR_PX;
    const kind = stream === "stderr" ? "stderr" : "";
    // A whole output begins and ends a line.
    if (this.open && (!stream || this.open.className !== kind)) {
      this.endLine();
    }
    const lines = text.replaceAll("\r\n", "\n").split("\n");
    lines.forEach((line, place) => {
      if (line || place < lines.length - 1) {
        this.write(line, kind);
      }
      if (place < lines.length - 1) {
        this.endLine();
      }
    });
    if (!stream && this.open) {
      this.endLine();
    }
    while (view.childElementCount > MAX_LINES) {
      view.firstElementChild?.remove();
    }
    if (isAtEnd) {
      view.scrollTop = view.scrollHeight;
    }
  }

  /**
   * @param {string} text
   * @param {string} kind
   */
  write(text, kind) {
    if (!this.open) {
      this.open = this.element.ownerDocument.createElement("span");
      this.open.className = kind;
      this.element.append(this.open);
    }
    // A line that is drawn over, as a progress bar is, shows its last state.
    const whole = (this.open.dataset.text ?? "") + text;
    const kept = whole.slice(whole.replace(/\r+$/, "").lastIndexOf("\r") + 1);
    this.open.dataset.text = kept;
    this.open.textContent = kept.replaceAll("\r", "");
  }

  endLine() {
    if (this.open) {
      delete this.open.dataset.text;
      this.open.append("\n");
      this.open = null;
    }
  }
}
