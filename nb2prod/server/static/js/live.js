// Follows a run that goes on: status, cells, log. What comes is only ever set as text.

import { follow } from "./event-stream.js";
import { LogView } from "./log-view.js";

// Where nothing can be followed, the page is loaded again now and then.
const RELOAD_MS = 15_000;
const COUNT_MS = 1000;

/**
 * @typedef {object} State
 * @property {string} status
 * @property {string} reason
 * @property {number | null} total
 * @property {string} waits
 * @property {string | null} not_before
 * @property {string} cancelled_by
 * @property {string | null} page
 */

/** @param {Document} page */
export function startLive(page) {
  const root = page.getElementById("live");
  const address = root?.dataset.stream;
  if (root && address) {
    new LiveRun(page, root).start(address);
  }
}

class LiveRun {
  /**
   * @param {Document} page
   * @param {HTMLElement} root
   */
  constructor(page, root) {
    this.page = page;
    this.root = root;
    /** @type {State | null} */
    this.state = null;
    this.position = 0;
    this.done = 0;
    const log = page.getElementById("live-log");
    this.log = log ? new LogView(log) : null;
  }

  /** @param {string} address */
  start(address) {
    const token = this.page.querySelector('meta[name="xsrf-token"]');
    this.begin();
    follow(address, {
      token: token instanceof HTMLMetaElement ? token.content : "",
      onEvent: (name, data) => this.take(name, data),
      onLink: (text) => this.say("live-link", text),
      onRefused: () => setTimeout(() => location.reload(), RELOAD_MS),
    });
    setInterval(() => this.showWaiting(), COUNT_MS);
  }

  /** All of it is told anew, what the server has drawn already included. */
  begin() {
    this.log?.clear();
    this.page.getElementById("live-notes-list")?.replaceChildren();
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  take(name, data) {
    switch (name) {
      case "state":
        this.state = data;
        this.showState();
        break;
      case "cell":
        this.takeCell(data);
        break;
      case "output":
        this.log?.add(data.text ?? "", data.stream);
        this.hide("live-none", true);
        break;
      case "note":
      case "notice":
        this.addNote(data.text ?? "");
        break;
      case "attempt":
        this.takeAttempt(data);
        break;
      case "end":
        this.finish(data);
        break;
    }
  }

  showState() {
    const state = this.state;
    const template = state && this.root.querySelector(`template[data-status="${state.status}"]`);
    const status = this.page.getElementById("live-status");
    if (!state || !status || !(template instanceof HTMLTemplateElement)) {
      return;
    }
    // A screen reader says it again whenever it is replaced.
    if (status.dataset.status !== state.status) {
      status.dataset.status = state.status;
      status.replaceChildren(template.content.cloneNode(true));
    }
    this.hide("live-progress", state.status === "queued");
    this.hide("live-actions", isFinal(state.status) || state.cancelled_by !== "");
    this.showWaiting();
    this.showCells();
  }

  showWaiting() {
    const state = this.state;
    if (!state) {
      return;
    }
    let text = state.waits;
    if (isFinal(state.status)) {
      text = "The run has ended; its page is being made. This takes a moment.";
    } else if (state.cancelled_by) {
      text = `${state.cancelled_by} asked for its end; what it has done until then is kept.`;
    } else if (state.not_before) {
      const seconds = Math.max(0, Math.ceil((Date.parse(state.not_before) - Date.now()) / 1000));
      text = `${text} The next attempt is due in ${seconds} s.`;
    }
    this.say("live-waits-text", text);
    this.hide("live-waits", !text);
  }

  /** @param {any} data */
  takeCell(data) {
    if (data.kind === "cell_ended") {
      this.done = this.position;
      if (data.status !== "succeeded" && data.text) {
        this.log?.add(`${data.text}\n`, "stderr");
        this.hide("live-none", true);
      }
    } else {
      this.position = data.position ?? this.position + 1;
      this.done = this.position - 1;
      this.say("live-heading", data.heading ?? "");
    }
    this.showCells();
  }

  showCells() {
    const total = this.state?.total ?? 0;
    const bar = this.page.getElementById("live-bar");
    if (bar instanceof HTMLProgressElement && total) {
      bar.max = total;
      bar.value = Math.min(this.done, total);
    }
    const of = total ? ` of ${total}` : "";
    this.say("live-cell", this.position ? `Cell ${this.position}${of}` : "Starting");
  }

  /** @param {any} data */
  takeAttempt(data) {
    this.position = 0;
    this.done = 0;
    this.say("live-heading", "");
    const why = data.former_reason ? `: ${data.former_reason}` : "";
    this.addNote(`Attempt ${data.number - 1} failed${why}`);
    this.log?.clear();
    this.hide("live-none", false);
    this.showCells();
  }

  /** @param {string} text */
  addNote(text) {
    const line = this.page.createElement("p");
    line.textContent = text;
    this.page.getElementById("live-notes-list")?.append(line);
    this.hide("live-notes", false);
  }

  /** @param {any} data */
  finish(data) {
    if (data.page) {
      location.replace(data.page);
    } else {
      setTimeout(() => location.reload(), RELOAD_MS);
    }
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  say(id, text) {
    const element = this.page.getElementById(id);
    if (element && element.textContent !== text) {
      element.textContent = text;
    }
  }

  /**
   * @param {string} id
   * @param {boolean} isHidden
   */
  hide(id, isHidden) {
    const element = this.page.getElementById(id);
    if (element) {
      element.hidden = isHidden;
    }
  }
}

/** @param {string} status */
function isFinal(status) {
  return status !== "queued" && status !== "running";
}
