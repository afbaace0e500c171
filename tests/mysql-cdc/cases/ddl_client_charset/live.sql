-- @conn G
-- @charset gbk
ALTER TABLE ${db}.t MODIFY sex enum('男','女','未知'), ADD COLUMN 性别 varchar(9) CHARACTER SET gbk;
INSERT INTO ${db}.t VALUES (2,'女','女'),(3,'未知','男');
-- @conn J
-- @charset cp932
ALTER TABLE ${db}.t MODIFY sex enum('男','女','未知','申込');
-- @conn G
INSERT INTO ${db}.t VALUES (4,'男',NULL);
-- @conn A
INSERT INTO ${db}.t VALUES (5,'申込','x');
