SET SESSION binlog_row_value_options='PARTIAL_JSON';
UPDATE ${db}.t SET v=JSON_SET(v,'$.a',77) WHERE id=1;
UPDATE ${db}.t SET v=JSON_REMOVE(v,'$.b[1]'), n=2 WHERE id=1;
