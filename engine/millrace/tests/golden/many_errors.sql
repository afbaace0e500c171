SET 'execution.checkpointing.interval' = 'soon';
SET 'paralelism.default' = '2';

CREATE TABLE orders (
  id BIGINT,
  payload STRING,
  place BIGINT METADATA FROM 'ofset' VIRTUAL
) WITH (
  'connector' = 'kafka',
  'topic' = '${orders.topic}',
  'properties.bootstrap.servers' = 'kafka:9092',
  'scan.startup.mod' = 'earliest-offset',
  'format' = 'json'
);

CREATE TABLE clean (id BIGINT, payload STRING, place BIGINT) WITH (
  'connector' = 'kafak',
  'topic' = 'clean'
);

INSERT INTO clean SELECT id, UPER(payload), plce FROM orders;
INSERT INTO nowhere SELECT id FROM orders WHERE;
