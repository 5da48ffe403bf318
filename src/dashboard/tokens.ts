/** Injects the `ResolvedSettings`. */
export const DASHBOARD_SETTINGS = Symbol('DASHBOARD_SETTINGS');
/** Injects the `RestRoutes`. The description is part of the error of NestJS if only the class is imported. */
export const REST_ROUTES = Symbol('routes of the dashboard: import RedlockDashboardModule.forRoot(...)');
