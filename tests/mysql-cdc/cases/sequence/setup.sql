CREATE TABLE ${db}.t (id int primary key, n int);
INSERT INTO ${db}.t VALUES (1,10);
CREATE SEQUENCE ${db}.before;
