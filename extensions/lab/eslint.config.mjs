import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["lib/", "lib-test/", "nb2prod_lab/", "node_modules/"] },
  js.configs.recommended,
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.json", "./tsconfig.test.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/explicit-function-return-type": [
        "error",
        { allowExpressions: true, allowTypedFunctionExpressions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Lumino's signals take a method and its `this` apart: `connect(method, this)`.
      "@typescript-eslint/unbound-method": "off",
      // React's event handlers return nothing, and are short.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      curly: "error",
      eqeqeq: "error",
      "no-restricted-globals": ["error", { name: "fetch", message: "`api.ts` is the only fetch." }],
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "Text becomes markup: use React." },
        { property: "dangerouslySetInnerHTML", message: "Text becomes markup: use React." },
      ],
    },
  },
  // node's test runner waits for `test` itself.
  { files: ["test/**"], rules: { "@typescript-eslint/no-floating-promises": "off" } },
);
