CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen');

CREATE TABLE here (id BIGINT) WITH (
  'connector' = 'kafka', 'topic' = 'a', 'properties.bootstrap.servers' = 'one:9092', 'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'x'
);

CREATE TABLE there (id BIGINT) WITH (
  'connector' = 'kafka', 'topic' = 'a', 'properties.bootstrap.servers' = 'two:9092', 'format' = 'json',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'x'
);

INSERT INTO here SELECT id FROM numbers;
INSERT INTO there SELECT id FROM numbers;
