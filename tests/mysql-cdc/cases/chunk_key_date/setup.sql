CREATE TABLE ${db}.t (id date primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('2020-01-01','x',0);
INSERT INTO ${db}.t VALUES ('2020-01-02','x',1);
INSERT INTO ${db}.t VALUES ('2020-02-01','x',2);
INSERT INTO ${db}.t VALUES ('2021-01-01','x',3);
INSERT INTO ${db}.t VALUES ('1999-12-31','x',4);
