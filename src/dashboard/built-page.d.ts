/** The content of each file of the page, by its name. `scripts/build-dashboard.mjs` writes this module. */
export const files: Readonly<Record<string, string>>;
