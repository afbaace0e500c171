CREATE TABLE IF NOT EXISTS `login_log_mysql` (
 login_log_id      bigint not null,  
 account_id        bigint ,  
 long_account_id   string , 
 short_account_id  string , 
 game_code         string , 
 package_code      string , 
 channel_id        int    ,
 login_at          int    ,  
 login_ip          string ,    
 device_ua         string ,
 device_id         string ,
 device_net        string ,
 device_ratio      string , 
 device_os         string ,
 device_carrier    string ,
 ext               string ,        
 created_at        int    ,  
 updated_at        int    ,  
 deleted_at        int ,
  PRIMARY KEY(`login_log_id`)
 NOT ENFORCED
) with (
  'connector' = 'mysql-cdc',
  'hostname' = '${mysql.host}',
  'port' = '${mysql.port:-3306}',
  'username' = '${mysql.user}',
  'password' = '${mysql.password}',
  'database-name' = 'player_user_center',
  -- 'scan.startup.mode' = 'latest-offset',
  'scan.startup.mode' = 'earliest-offset',
  'table-name' = 'login_log_202[3-9][0-9]{2}',
  'server-time-zone' = '${mysql.zone:-+07:00}'
);

create table if not EXISTS login_log_doris(
  `date`           date       ,    
   login_log_id    bigint     ,
   account_id      bigint     ,
   long_account_id     string ,
   short_account_id    string ,
   game_code       string     ,
  `package_code`   string     ,
  `channel_id`     int        ,
   login_at        string     ,
   login_ip        string     ,
   device_ua       string     ,
   device_id       string     ,
   device_net      string     ,
   device_ratio    string     ,
   device_os       string     ,
   device_carrier  string     ,
   ext             string     ,
   created_at      string     ,
   updated_at      string     ,
   deleted_at      string     ,
   PRIMARY KEY(`date`,`login_log_id`)
 NOT ENFORCED
) WITH (
   'connector' = 'doris',
    'jdbc-url'='${doris.jdbc}',
    'load-url'='${doris.load}',
    'database-name' = 'ro_sea_player_user_center',
    'table-name' = 'ods_login_log',
    'username' = '${doris.user}',
    'password' = '${doris.password}',
    'sink.semantic' = 'exactly-once',
    'sink.max-retries' = '10'
);

create view login_log_flink_trans as 
select  
 to_date(cast(to_timestamp_ltz(login_at,0) as varchar) )  , 
 login_log_id     ,  
 account_id       ,  
 long_account_id  , 
 short_account_id , 
 game_code        , 
 package_code     , 
 channel_id,
 cast(to_timestamp_ltz(login_at,0) as varchar) as login_at,
 login_ip         ,    
 device_ua        ,
 device_id        ,
 device_net       ,
 device_ratio     , 
 device_os        ,
 device_carrier   ,
 ext              ,
 cast(to_timestamp_ltz(created_at,0) as varchar) as created_at,
 cast(to_timestamp_ltz(updated_at,0) as varchar) as updated_at,
 cast(to_timestamp_ltz(deleted_at,0) as varchar) as deleted_at
from login_log_mysql;

insert into login_log_doris select * from login_log_flink_trans;

CREATE TABLE IF NOT EXISTS `account_mysql` (
 account_id        bigint ,  
 open_id           string , 
 dy_openid         string , 
 dy_ios_openid     string , 
 ext               string ,        
 last_channel      int    ,  
 last_login_time   int    ,  
 last_login_ip     string ,  
 created_at        int    ,  
 updated_at        int    ,  
 deleted_at        string ,
 PRIMARY KEY(`account_id`)
 NOT ENFORCED
) with (
  'connector' = 'mysql-cdc',
  'hostname' = '${mysql.host}',
  'port' = '${mysql.port:-3306}',
  'username' = '${mysql.user}',
  'password' = '${mysql.password}',
  'database-name' = 'player_user_center',
  -- 'scan.startup.mode' = 'latest-offset',
  'scan.startup.mode' = 'earliest-offset',
  'table-name' = 'account_[0-9]+',
  'server-time-zone' = '${mysql.zone:-+07:00}'
);

create table if not EXISTS account_doris(
  `date`            date     ,    
   account_id       bigint   ,
   open_id          string   ,
   dy_openid        string   ,
   dy_ios_openid    string   ,
   ext              string   ,
  `last_channel`    int      ,
   last_login_time  string   ,
   last_login_ip    string   ,
   created_at       string   ,
   updated_at       string   ,
   deleted_at       string   ,
   PRIMARY KEY(`date`,`account_id`)
 NOT ENFORCED
) WITH (
   'connector' = 'doris',
    'jdbc-url'='${doris.jdbc}',
    'load-url'='${doris.load}',
    'database-name' = 'ro_sea_player_user_center',
    'table-name' = 'ods_account_log',
    'username' = '${doris.user}',
    'password' = '${doris.password}',
    'sink.semantic' = 'exactly-once',
    'sink.max-retries' = '10'
);

create view account_flink_trans as 
select  
 to_date(cast(to_timestamp_ltz(created_at,0) as varchar) )  , 
 account_id       ,  
 open_id          , 
 dy_openid        , 
 dy_ios_openid    , 
 ext              ,
 last_channel     ,
cast(to_timestamp_ltz(last_login_time,0) as varchar) as last_login_time,
 last_login_ip    ,    
 cast(to_timestamp_ltz(created_at,0) as varchar) as created_at,
 cast(to_timestamp_ltz(updated_at,0) as varchar) as updated_at,
 deleted_at
from account_mysql;

insert into account_doris select * from account_flink_trans;
