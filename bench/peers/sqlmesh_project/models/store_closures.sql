MODEL (
  name main.store_closures,
  kind SEED (path '../seeds/store_closures.csv'),
  columns (closed_on DATE, reason TEXT),
  audits (
    not_null(columns := (closed_on, reason)),
    unique_values(columns := (closed_on))
  )
);
