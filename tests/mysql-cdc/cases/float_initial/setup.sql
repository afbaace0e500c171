CREATE TABLE ${db}.t (id int primary key, v varchar(9), n float);
INSERT INTO ${db}.t VALUES (1,'a',16777216),(2,'b',3.4028235E38),(3,'c',0.1);
