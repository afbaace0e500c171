SET SESSION binlog_format='STATEMENT';
INSERT INTO ${db}.o VALUES (2,2);
DELETE ${db}.o, ${db}.t FROM ${db}.o JOIN ${db}.t ON o.id=t.id;
