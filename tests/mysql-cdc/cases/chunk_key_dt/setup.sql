CREATE TABLE ${db}.t (id datetime(3) primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('2020-01-01 00:00:00.001','x',0);
INSERT INTO ${db}.t VALUES ('2020-01-01 00:00:00.002','x',1);
INSERT INTO ${db}.t VALUES ('2021-01-01 00:00:00.000','x',2);
INSERT INTO ${db}.t VALUES ('2022-01-01 00:00:00.500','x',3);
INSERT INTO ${db}.t VALUES ('1999-12-31 00:00:00.000','x',4);
