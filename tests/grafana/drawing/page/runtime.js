// The data source asks for other data sources only where exemplars lead to one.
export const getDataSourceSrv = () => ({ getInstanceSettings: () => undefined });
