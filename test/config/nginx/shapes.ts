/**
 * Configurations as people have them around the push stream module, written for these tests after what public
 * ones look like: whole sites on one nginx, push behind nginx, push on a port of its own. Each says which
 * ways take it as it is: D direct, F `--foreign`, K `--keep-nginx`.
 */
export interface Shape {
  readonly name: string;
  readonly ways: string;
  readonly text: string;
}

const PUB = "push_stream_publisher admin; push_stream_channels_path $arg_id; push_stream_store_messages on;";
const SUB = "push_stream_subscriber; push_stream_channels_path $1;";
const STATS = "push_stream_channels_statistics; push_stream_channels_path $arg_id;";
const ENDPOINTS = `
    location /channels-stats { ${STATS} }
    location /pub { ${PUB} }
    location ~ /sub/(.*) { ${SUB} }`;

const shape = (name: string, ways: string, server: string, http = "", main = ""): Shape => ({
  name,
  ways,
  text: `${main}
worker_processes auto;
events { worker_connections 1024; use epoll; }
http {
  default_type application/octet-stream;
  sendfile on;
  push_stream_shared_memory_size 32M;
  ${http}
  server {
    listen 127.0.0.1:9080;
    server_name push.example.org;
    ${server}
  }
}
`,
});

export const SHAPES: readonly Shape[] = [
  // --- push on a port of its own ---------------------------------------------------------------------------
  shape("three endpoints", "DFK", ENDPOINTS),
  shape(
    "all modes",
    "DFK",
    `${ENDPOINTS}
    location ~ /ev/(.*) { push_stream_subscriber eventsource; push_stream_channels_path $1;
      push_stream_last_event_id $arg_e; }
    location ~ /lp/(.*) { push_stream_subscriber long-polling; push_stream_channels_path $1;
      push_stream_longpolling_connection_ttl 30s; }
    location ~ /ws/(.*) { push_stream_subscriber websocket; push_stream_channels_path $1;
      push_stream_websocket_allow_publish on; }`,
    "push_stream_max_messages_stored_per_channel 20; push_stream_channel_inactivity_time 30m; " +
      "push_stream_wildcard_channel_prefix b_;",
  ),
  shape(
    "the channel in a variable of old versions",
    "DFK",
    "location /pub { set $push_stream_channel_id $arg_id; push_stream_publisher; " +
      "push_stream_channels_path $push_stream_channel_id; }",
  ),
  shape(
    "statistics of all, by a capture that is none",
    "DFK",
    "location /channels-stats { push_stream_channels_statistics; push_stream_channels_path $1; }",
  ),
  shape(
    "a long-polling chat with conditions",
    "DFK",
    `location ~ ^/lp/(\\w+)$ {
      push_stream_subscriber long-polling;
      push_stream_channels_path $1;
      if ($arg_tag) { push_stream_last_received_message_tag $arg_tag; }
      if ($arg_time) { push_stream_last_received_message_time $arg_time; }
      push_stream_message_template '{"id":~id~,"text":"~text~"}';
    }
    location /pub { allow 127.0.0.1; deny all; ${PUB} }`,
  ),
  shape(
    "an iframe with padding and a header file's text",
    "DFK",
    `location ~ /sub/(.*) { ${SUB} push_stream_header_template "<html><script>"; ` +
      `push_stream_footer_template "</script>"; push_stream_padding_by_user_agent "MSIE,0,1024"; ` +
      `default_type "text/html; charset=utf-8"; }`,
  ),
  shape("a unix socket beside the port", "DFK", `listen unix:/tmp/push.sock; ${ENDPOINTS}`),
  shape(
    "everything denied but two networks",
    "DFK",
    `allow 10.0.0.0/8; allow 192.168.0.0/16; deny all; ${ENDPOINTS}`,
  ),
  shape(
    "a password for publishers, any of two",
    "DFK",
    "location /pub { satisfy any; allow 127.0.0.1; deny all; auth_basic push; " +
      `auth_basic_user_file users; ${PUB} }`,
  ),
  shape("only GET and POST", "DFK", `location /pub { limit_except GET POST { deny all; } ${PUB} }`),
  // --- the site beside it, files alone ---------------------------------------------------------------------
  shape(
    "a page and pages for errors",
    "DFK",
    `${ENDPOINTS}
    root /usr/share/nginx/html;
    index index.html index.htm;
    error_page 404 /404.html;
    error_page 500 502 503 504 /50x.html;
    location = /50x.html { root /usr/share/nginx/html; internal; }`,
  ),
  shape(
    "an application of one page",
    "DFK",
    `${ENDPOINTS}
    root /srv/app;
    location / { try_files $uri $uri/ /index.html; }
    location ~* \\.(?:css|js|png)$ { expires 30d; add_header Cache-Control public; access_log off; }`,
  ),
  shape(
    "the folder in a variable",
    "DFK",
    `set $root_path /srv/www/example; root $root_path; ${ENDPOINTS} location / { try_files $uri =404; }`,
  ),
  shape("a folder for each host", "DFK", `${ENDPOINTS} location /files/ { root /srv/$host; autoindex on; }`),
  shape(
    "old addresses go on",
    "DFK",
    `${ENDPOINTS}
    rewrite ^/old/(.*)$ /sub/$1 last;
    location /comet { rewrite ^/comet/(.*)$ /sub/$1 last; }
    location /go { return 301 https://example.org$request_uri; }
    if ($host = www.push.example.org) { rewrite ^(.*)$ http://push.example.org$1 permanent; }`,
  ),
  shape(
    "a site that is closed by a file",
    "DFK",
    `${ENDPOINTS} if (-f /srv/maintenance) { return 503; } ` +
      "location / { if (!-e $request_filename) { return 404; } root /srv; }",
  ),
  shape(
    "who may publish, by a map",
    "DFK",
    `location /pub { if ($may_publish = 0) { return 403; } ${PUB} }`,
    'map $http_x_key $may_publish { default 0; "secret" 1; ~^tmp- 1; }',
  ),
  shape(
    "named locations and candidates",
    "DFK",
    `${ENDPOINTS} root /srv; location / { try_files $uri @gone; } location @gone { return 410; }`,
  ),
  shape(
    "a location no path leads to, and nested ones",
    "DFK",
    `${ENDPOINTS} location ^~ ^(/x\\.php)$ { return 404; } location ^~ /static/ { root /srv; ` +
      "location ~ \\.map$ { deny all; } }",
  ),
  shape(
    "the status page",
    "DFK",
    `${ENDPOINTS} location /status { stub_status on; allow 127.0.0.1; deny all; }`,
  ),
  shape("whoever asks for nothing of ours", "DFK", `${ENDPOINTS} location / { return 444; }`),
  shape(
    "proxies in front",
    "DFK",
    ENDPOINTS,
    "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on; " +
      'log_format j escape=json \'{"a":"$remote_addr"}\'; access_log /tmp/a.log j;',
  ),
  shape(
    "a site for tuners",
    "DFK",
    ENDPOINTS,
    "tcp_nopush on; tcp_nodelay on; types_hash_max_size 2048; server_tokens off; gzip on; " +
      "gzip_vary on; gzip_proxied any; open_file_cache max=1000; client_body_buffer_size 16k;",
    "user www-data; pid /run/nginx.pid; worker_rlimit_nofile 65536;",
  ),
  // --- a backend beside it ---------------------------------------------------------------------------------
  shape(
    "a backend for the rest",
    "DFK",
    `${ENDPOINTS} location / { proxy_pass http://127.0.0.1:3000; proxy_set_header Host $host; }`,
  ),
  shape(
    "backends by name",
    "DFK",
    `${ENDPOINTS} location / { proxy_pass http://app; proxy_http_version 1.1; ` +
      "proxy_set_header Upgrade $http_upgrade; }",
    "upstream app { server 127.0.0.1:3000 weight=2; server unix:/run/app.sock backup; keepalive 8; }",
  ),
  shape(
    "a site behind, with what proxies usually are told",
    "DFK",
    `${ENDPOINTS} location / { proxy_pass http://127.0.0.1:8080/; proxy_redirect off;
    proxy_set_header Host $host:$server_port;
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; client_max_body_size 10m; client_body_buffer_size 128k;
      proxy_connect_timeout 90; proxy_send_timeout 90; proxy_read_timeout 90; proxy_buffer_size 4k;
      proxy_buffers 4 32k;
      proxy_busy_buffers_size 64k; proxy_temp_file_write_size 64k; proxy_intercept_errors on; }
    error_page 502 504 /50x.html; location = /50x.html { root /srv; }`,
  ),
  shape(
    "files, or else the application",
    "DFK",
    `${ENDPOINTS} root /srv/public; location / { try_files $uri/index.html $uri.html $uri @app; }
    location @app { proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Host $http_host; proxy_redirect off; proxy_pass http://app; }`,
    "upstream app { server unix:/srv/tmp/unicorn.sock fail_timeout=0; }",
  ),
  shape(
    "if there is no such file, the application",
    "DFK",
    `${ENDPOINTS} root /srv/public; ` +
      "location / { if (!-f $request_filename) { proxy_pass http://mongrel; break; } }",
    "upstream mongrel { ip_hash; server 127.0.0.1:8001; " +
      "server 127.0.0.1:8002 max_fails=3 fail_timeout=30s; server 127.0.0.1:8003 down; }",
  ),
  shape(
    "an application with WebSockets of its own",
    "DFK",
    `${ENDPOINTS} location /socket.io/ { proxy_pass http://nodes; proxy_http_version 1.1;
    proxy_buffering off; proxy_cache_bypass $http_upgrade;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 1d; }`,
    'map $http_upgrade $connection_upgrade { default upgrade; "" close; } upstream nodes { least_conn; ' +
      "server 127.0.0.1:5001; server 127.0.0.1:5002; keepalive 64; }",
  ),
  shape(
    "parts of a site on several backends",
    "DFK",
    `${ENDPOINTS} set $back 127.0.0.1:8000; location /api/ { proxy_pass http://127.0.0.1:9000/v1/;
    proxy_hide_header X-Powered-By; proxy_next_upstream error timeout http_502; }
    location ~ ^/user/(\\d+)$ { proxy_pass http://$back/profile?id=$1; }
      location ~* \\.(jpg|png)$ { proxy_pass https://static.example.org; proxy_ssl_server_name on; }`,
  ),
  shape(
    "answers that are kept",
    "FK",
    `${ENDPOINTS} location / { proxy_cache pages; proxy_cache_valid 200 1m; ` +
      "proxy_pass http://127.0.0.1:3000; }",
    "proxy_cache_path /tmp/pages keys_zone=pages:1m;",
  ),
  shape(
    "PHP",
    "FK",
    `${ENDPOINTS} root /srv/www; index index.php; location / { try_files $uri $uri/ /index.php?$args; }
    location ~ \\.php$ { fastcgi_pass unix:/run/php-fpm.sock; fastcgi_index index.php;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; }
    location ~ /\\.ht { deny all; }`,
  ),
  shape(
    "Bitrix: files, a backend, push, dead locations",
    "DFK",
    `set $docroot /home/bitrix/www; root $docroot;
    location ^~ /bitrix/sub { push_stream_subscriber long-polling;
      push_stream_channels_path $arg_CHANNEL_ID; push_stream_allowed_origins "*";
      push_stream_message_template "#!NGINXNMS!#~text~#!NGINXNME!#";
      if ($arg_time) { push_stream_last_received_message_time "$arg_time"; } }
    location ^~ /bitrix/subws/ { push_stream_subscriber websocket;
      push_stream_channels_path $arg_CHANNEL_ID; }
    location ^~ /bitrix/pub/ { allow 127.0.0.0/8; deny all; ${PUB} client_max_body_size 32m; }
    location ^~ ^(/bitrix/modules|/bitrix/local_cache) { deny all; }
    location ~* /upload/1c_[^/]+/ { deny all; }
    location ~ \\.php$ { proxy_pass http://127.0.0.1:8888; }
    location @bitrix { proxy_pass http://127.0.0.1:8888; }
    location / { try_files $uri @bitrix; }`,
  ),
  shape(
    "Python by uwsgi",
    "FK",
    `${ENDPOINTS} location @app { include none*; uwsgi_pass 127.0.0.1:5000; } ` +
      "location / { try_files $uri @app; root /srv; }",
  ),
  shape("films", "FK", `${ENDPOINTS} location /video/ { mp4; mp4_buffer_size 1m; root /srv; }`),
  shape("Lua for pages", "FK", `${ENDPOINTS} location /hello { content_by_lua_block { ngx.say("{") } }`),
  shape(
    "a module nobody knows, in a location of its own",
    "FK",
    `${ENDPOINTS} location /x { some_upload_pass /y; }`,
  ),
  shape(
    "a backend that says who may publish",
    "DFK",
    `location /pub { auth_request /may; ${PUB} } location = /may { internal; ` +
      "proxy_pass http://127.0.0.1:3000/may; proxy_pass_request_body off; }",
  ),
  shape("a mail proxy besides", "FK", ENDPOINTS, "", "mail { server { listen 25; protocol smtp; } }"),
  // --- what guards push and is not done --------------------------------------------------------------------
  shape(
    "Lua that guards push",
    "K",
    `location /pub { access_by_lua_block { if not ok() then ngx.exit(403) end } ${PUB} }`,
  ),
  shape(
    "signed links",
    "K",
    `location /pub { secure_link $arg_md5; secure_link_md5 "$uri s"; ` +
      `if ($secure_link = "") { return 403; } ${PUB} }`,
  ),
  shape(
    "countries",
    "K",
    `location /pub { if ($from_here = 0) { return 403; } ${PUB} }`,
    "geo $from_here { default 0; 10.0.0.0/8 1; }",
  ),
  shape("certificates of clients", "K", `ssl_verify_client on; ${ENDPOINTS}`),
  shape(
    "a copy of everything",
    "K",
    `mirror /copy; ${ENDPOINTS} location = /copy { internal; proxy_pass http://127.0.0.1:1; }`,
  ),
  shape("a rate for streams", "K", `location ~ /sub/(.*) { ${SUB} limit_rate 10k; }`),
  shape("headers by another module", "K", `more_set_headers "X-A: b"; ${ENDPOINTS}`),
  shape("push in a named location", "DF", `location / { try_files /none @push; } location @push { ${PUB} }`),
];
