UPDATE ${db}.odd SET n=10;
CREATE TABLE ${db}.odd2 (id int primary key, n int) WITH SYSTEM VERSIONING;
INSERT INTO ${db}.odd2 VALUES (8,8);
INSERT INTO ${db}.t VALUES (2,2);
