// Server-sent events (WHATWG HTML, 9.2), with a header of ours. `EventSource` can send none, and a
// token in an address would stand in logs.

const MAX_PAUSE_MS = 30_000;

/**
 * @typedef {object} Listener
 * @property {string} token
 * @property {(name: string, data: any) => void} onEvent
 * @property {(text: string) => void} onLink How the connection stands; empty where it is well.
 * @property {() => void} onRefused
 */

/**
 * Follow a stream until its event `end`. A connection that breaks is made again, from the last
 * event on. While nobody looks at the page there is none: a browser has only six for one host.
 *
 * @param {string} address
 * @param {Listener} listener
 */
export function follow(address, listener) {
  void new Follower(address, listener).run();
}

class Follower {
  /**
   * @param {string} address
   * @param {Listener} listener
   */
  constructor(address, listener) {
    this.address = address;
    this.listener = listener;
    this.lastId = "";
    this.pauseMs = 1000;
    this.isOver = false;
    /** @type {AbortController | null} */
    this.connection = null;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        this.connection?.abort();
      }
    });
  }

  async run() {
    let failures = 0;
    while (!this.isOver) {
      await shown();
      try {
        await this.listen();
        failures = 0;
      } catch (error) {
        if (error instanceof Refused) {
          this.listener.onLink("This run can't be followed now.");
          this.listener.onRefused();
          return;
        }
        failures += document.hidden ? 0 : 1;
      }
      if (!this.isOver && !document.hidden) {
        this.listener.onLink(failures > 1 ? "Connection lost, trying again …" : "");
        await pause(Math.min(MAX_PAUSE_MS, this.pauseMs * 2 ** Math.max(0, failures - 1)));
      }
    }
  }

  async listen() {
    this.connection = new AbortController();
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream", "X-XSRF-Token": this.listener.token };
    if (this.lastId) {
      headers["Last-Event-ID"] = this.lastId;
    }
    const response = await fetch(this.address, { headers, signal: this.connection.signal });
    if (response.status >= 400 && response.status < 500) {
      throw new Refused();
    }
    if (!response.ok || !response.body) {
      throw new Error("no stream");
    }
    this.listener.onLink("");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        this.take(block);
      }
      if (this.isOver) {
        this.connection.abort();
        return;
      }
    }
  }

  /** @param {string} block */
  take(block) {
    let name = "";
    let data = "";
    for (const line of block.split("\n")) {
      const [field, text] = parts(line);
      if (field === "id") {
        this.lastId = text;
      } else if (field === "event") {
        name = text;
      } else if (field === "data") {
        data = text;
      } else if (field === "retry") {
        this.pauseMs = Number(text) || this.pauseMs;
      }
    }
    if (name && data) {
      this.isOver = name === "end";
      this.listener.onEvent(name, JSON.parse(data));
    }
  }
}

class Refused extends Error {}

/**
 * @param {string} line
 * @returns {[string, string]}
 */
function parts(line) {
  const place = line.indexOf(":");
  return place < 0 ? [line, ""] : [line.slice(0, place), line.slice(place + 1).replace(/^ /, "")];
}

/** @returns {Promise<void>} */
function shown() {
  return new Promise((resolve) => {
    if (!document.hidden) {
      resolve();
      return;
    }
    const look = () => {
      if (!document.hidden) {
        document.removeEventListener("visibilitychange", look);
        resolve();
      }
    };
    document.addEventListener("visibilitychange", look);
  });
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
