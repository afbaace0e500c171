-- The bytes of a topic as they are, into another one, exactly once.
CREATE TABLE raw_in (
  `log` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'ro_sea_tlog',
  'properties.bootstrap.servers' = '127.0.0.1:19092',
  'properties.group.id' = 'bench_passthrough',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'raw'
);

CREATE TABLE raw_out (
  `log` STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'bench_passthrough',
  'properties.bootstrap.servers' = '127.0.0.1:19092',
  'format' = 'raw',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'bench_passthrough',
  'properties.compression.type' = 'zstd',
  'properties.transaction.timeout.ms' = '600000',
  'properties.acks' = '-1'
);

INSERT INTO raw_out SELECT * FROM raw_in;
