/** Injects the `ResolvedSettings`. */
export const DASHBOARD_SETTINGS = Symbol('DASHBOARD_SETTINGS');
