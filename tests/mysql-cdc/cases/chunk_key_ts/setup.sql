CREATE TABLE ${db}.t (id timestamp(6) not null default current_timestamp(6) primary key, v varchar(50), n int);
INSERT INTO ${db}.t VALUES ('2020-01-01 00:00:00.000001','x',0);
INSERT INTO ${db}.t VALUES ('2020-01-01 00:00:00.000002','x',1);
INSERT INTO ${db}.t VALUES ('2021-01-01 00:00:00.000000','x',2);
INSERT INTO ${db}.t VALUES ('2022-01-01 00:00:00.500000','x',3);
INSERT INTO ${db}.t VALUES ('1999-12-31 00:00:00.000000','x',4);
