// What Grafana says a dashboard is, for its JSON.  Options that are not there
// get a panel's defaults; what is there has to be known to it.

import type * as schema from '@grafana/schema';
import type {
    Options as StatOptions,
} from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
    FieldConfig as LinesField,
    Options as LinesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';


// in JSON an enum has its words

type Json<T> = T extends string ? `${T}`
    : T extends number | boolean | null | undefined ? T
    : T extends (infer U)[] ? Json<U>[]
    : T extends object ? { [K in keyof T]: Json<T[K]> }
    : T;

type Part<T> = T extends (infer U)[] ? Part<U>[]
    : T extends object ? { [K in keyof T]?: Part<T[K]> }
    : T;


// Prometheus' queries are not among the types of that package

interface Query {
    refId: string;
    datasource: schema.DataSourceRef;
    expr: string;
    legendFormat?: string;
    instant?: boolean;
    range?: boolean;
}

type Field<Custom> =
    Omit<schema.FieldConfig, 'custom'> & { custom?: Part<Custom> };

type Drawn<Type extends string, Options, Custom> =
    Omit<schema.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
        type: Type;
        options: Part<Options>;
        fieldConfig: {
            defaults: Field<Custom>;
            overrides: schema.FieldConfigSource['overrides'];
        };
        targets: Query[];
    };

type Panel = Drawn<'stat', StatOptions, Record<string, never>>
    | Drawn<'timeseries', LinesOptions, LinesField>;

type Row = Omit<schema.RowPanel, 'panels'> & { panels: Panel[] };

export type Dashboard = Json<Omit<schema.Dashboard, 'panels'>
                             & { panels: (Panel | Row)[] }>;
