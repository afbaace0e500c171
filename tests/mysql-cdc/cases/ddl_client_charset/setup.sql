CREATE TABLE ${db}.t (id int primary key, sex varchar(9));
INSERT INTO ${db}.t VALUES (1,'男');
