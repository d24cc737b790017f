import js from "@eslint/js";
import globals from "globals";

export default [
  // The JupyterLab extension has a stricter configuration of its own.
  { ignores: ["extensions/lab/"] },
  { ignores: ["**/vendor/", ".venv/", ".bench/", "dist/", "build/", "test-results/", "**/node_modules/"] },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      curly: "error",
      "no-implicit-globals": "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text becomes markup: use textContent." },
        { property: "outerHTML", message: "Text becomes markup: use textContent." },
        { property: "insertAdjacentHTML", message: "Text becomes markup: use textContent." },
      ],
    },
  },
  {
    files: ["nb2prod/server/static/js/**", "hub/nb2prod_hub/static/**"],
    languageOptions: { globals: globals.browser },
  },
  { files: ["nb2prod/server/static/js/theme-first.js", "hub/nb2prod_hub/static/mlflow.js"], languageOptions: { sourceType: "script" } },
  { files: ["scripts/**", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
