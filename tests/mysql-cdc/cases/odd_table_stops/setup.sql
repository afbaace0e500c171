CREATE TABLE ${db}.t (id int primary key, n int);
INSERT INTO ${db}.t VALUES (1,1);
CREATE TABLE ${db}.odd (id int primary key, n int) WITH SYSTEM VERSIONING;
INSERT INTO ${db}.odd VALUES (9,9);
