/** Injects the `ResolvedSettings`. */
export const DASHBOARD_SETTINGS = Symbol('DASHBOARD_SETTINGS');
/** Injects the `RestRoutes`. */
export const REST_ROUTES = Symbol('REST_ROUTES');
