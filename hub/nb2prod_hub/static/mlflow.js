// Added to MLflow's page: its requests carry the token that proves that our page sent them, and
// it begins without what this server does not have (MLflow 3.17's names).
"use strict";

(() => {
  const { xsrf, prefix } = document.currentScript.dataset;
  const header = "X-XSRF-Token";

  const isOurs = (address) => {
    const url = new URL(address, document.baseURI);
    return url.origin === location.origin && url.pathname.startsWith(`${prefix}/`);
  };

  const preferences = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": true,
    "mlflow.settings.telemetry.enabled_v1": false,
    "mlflow.telemetry.info.alert.dismissed_v1": true,
    "mlflow.workflowType_v1": "machine_learning",
  };
  for (const [name, value] of Object.entries(preferences)) {
    if (localStorage.getItem(name) === null) {
      localStorage.setItem(name, JSON.stringify(value));
    }
  }

  // Doors to what is not let through.
  const closed = [
    "[data-assistant-ui]",
    '[data-component-id^="mlflow.home.workspaces.create"]',
    '[data-component-id="mlflow.home.workspaces.edit_workspace"]',
  ];
  const style = document.createElement("style");
  // MLflow's own rules are `!important` too; the `:not` weighs more than their classes.
  style.textContent = `:is(${closed.join(", ")}):not(#nb2prod) { display: none !important; }`;
  document.head.append(style);

  const plainFetch = window.fetch;
  window.fetch = (input, options) => {
    const request = new Request(input, options);
    if (isOurs(request.url)) {
      request.headers.set(header, xsrf);
    }
    return plainFetch.call(window, request);
  };

  const { open, send } = XMLHttpRequest.prototype;
  const addresses = new WeakMap();
  XMLHttpRequest.prototype.open = function (method, address, ...rest) {
    addresses.set(this, address);
    return open.call(this, method, address, ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (isOurs(addresses.get(this))) {
      this.setRequestHeader(header, xsrf);
    }
    return send.call(this, body);
  };
})();
