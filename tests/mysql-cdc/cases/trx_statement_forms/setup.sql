CREATE TABLE ${db}.t (id int primary key, n int);
CREATE TABLE ${db}.o LIKE ${db}.t;
INSERT INTO ${db}.t VALUES (1,1);
INSERT INTO ${db}.o VALUES (1,1);
