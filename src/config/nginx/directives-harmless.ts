/**
 * Directives that are left out and listed, under the reason why that changes nothing a client could tell, or
 * nothing we do otherwise. A test holds them to it: Debian's nginx answers the same with and without each
 * (test/proxies/left-out.test.ts). Columns as in directives-core.ts; families such as proxy_* are in
 * directives.ts.
 */
export const HARMLESS_ROWS = `
  # how nginx runs its processes and logs its own work; clients see none of it
  daemon                    m       flag
  master_process            m       flag
  working_directory         m       1
  worker_cpu_affinity       m       1+
  worker_priority           m       1
  worker_rlimit_nofile      m       1
  worker_rlimit_core        m       1
  worker_rlimit_sigpending  m       1
  debug_points              m       1
  lock_file                 m       1
  timer_resolution          m       1
  pcre_jit                  m       flag
  thread_pool               m       2+    *
  env                       m       1     *
  ssl_engine                m       1
  worker_aio_requests       e       1
  use                       e       1
  multi_accept              e       flag
  accept_mutex              e       flag
  accept_mutex_delay        e       1
  debug_connection          e       1     *
  log_not_found             hsl     flag
  log_subrequest            hsl     flag
  open_log_file_cache       hsl     1-4
  rewrite_log               hslic   flag
  uninitialized_variable_warn hslic flag
  limit_req_log_level       hsl     1
  limit_conn_log_level      hsl     1
  # another module of nginx: it does nothing until one of its directives stands there, which is then unknown
  load_module               m       1     *
  # how bytes are read and written, not which
  sendfile                  hsli    flag
  sendfile_max_chunk        hsl     1
  tcp_nopush                hsl     flag
  tcp_nodelay               hsl     flag
  aio                       hsl     1
  aio_write                 hsl     flag
  directio                  hsl     1
  directio_alignment        hsl     1
  read_ahead                hsl     1
  output_buffers            hsl     2
  postpone_output           hsl     1
  send_lowat                hsl     1
  connection_pool_size      hs      1
  request_pool_size         hs      1
  client_body_buffer_size   hsl     1
  client_body_temp_path     hsl     1-4
  client_body_in_single_buffer hsl  flag
  client_body_in_file_only  hsl     1
  gzip_buffers              hsl     2
  gzip_window               hsl     1
  gzip_hash                 hsl     1
  gzip_no_buffer            hsl     flag
  gunzip_buffers            hsl     2
  # how long an idle or closing connection stays: keepalive_timeout and the listener say it here
  keepalive_time            hsl     1
  keepalive_disable         hsl     1+
  keepalive_min_timeout     hsl     1
  lingering_close           hsl     1
  lingering_time            hsl     1
  lingering_timeout         hsl     1
  # what nginx remembers of files and names; here each file is looked at for each request
  open_file_cache           hsl     1-2
  open_file_cache_valid     hsl     1
  open_file_cache_min_uses  hsl     1
  open_file_cache_errors    hsl     flag
  open_file_cache_events    hsl     flag
  types_hash_max_size       hsl     1
  types_hash_bucket_size    hsl     1
  server_names_hash_max_size h      1
  server_names_hash_bucket_size h   1
  variables_hash_max_size   h       1
  variables_hash_bucket_size h      1
  map_hash_max_size         h       1
  map_hash_bucket_size      h       1
  # names of backends, which the system's own resolver is asked for
  resolver                  hsl     1+
  resolver_timeout          hsl     1
  # the version in Server and in pages: none is ever told
  server_tokens             hsl     1
  # how much of an answer nginx keeps before it sends it: here it is passed on as it comes, as it is taken
  proxy_buffering           hsl     flag
  proxy_request_buffering   hsl     flag
  proxy_buffers             hsl     2
  proxy_buffer_size         hsl     1
  proxy_busy_buffers_size   hsl     1
  proxy_temp_path           hsl     1-4
  proxy_temp_file_write_size hsl    1
  proxy_max_temp_file_size  hsl     1
  proxy_send_lowat          hsl     1
  proxy_socket_keepalive    hsl     flag
  proxy_headers_hash_max_size hsl   1
  proxy_headers_hash_bucket_size hsl 1
  # how what is cached is kept, where proxy_cache says that it is, which is a fault
  proxy_cache_path          h       2+    *
  proxy_cache_key           hsl     1
  proxy_cache_valid         hsl     1+    *
  proxy_cache_use_stale     hsl     1+
  proxy_cache_bypass        hsl     1+    *
  proxy_no_cache            hsl     1+    *
  proxy_cache_methods       hsl     1+
  proxy_cache_min_uses      hsl     1
  proxy_cache_lock          hsl     flag
  proxy_cache_lock_timeout  hsl     1
  proxy_cache_lock_age      hsl     1
  proxy_cache_revalidate    hsl     flag
  proxy_cache_background_update hsl flag
  proxy_cache_convert_head  hsl     flag
  proxy_cache_max_range_offset hsl  1
  proxy_store_access        hsl     1-3
  # of TLS to a backend: it agrees on these with any client
  proxy_ssl_protocols       hsl     1+
  proxy_ssl_ciphers         hsl     1
  proxy_ssl_session_reuse   hsl     flag
  proxy_ssl_verify_depth    hsl     1
  # for versions of Internet Explorer up to 6
  msie_padding              hsl     flag
  msie_refresh              hsl     flag
  # whether the same content comes compressed; a client that asks for gzip takes both
  gzip_disable              hsl     1+
  gzip_http_version         hsl     1
  gzip_proxied              hsl     1+
  gunzip                    hsl     flag
  # of charsets that are converted, for which charset_map would have to stand there, and of backends
  override_charset          hsli    flag
  source_charset            hsli    1
  # sessions, curves and proofs of TLS: the runtime has its own, and clients agree on them with any server
  ssl_session_cache         hs      1-2
  ssl_session_timeout       hs      1
  ssl_session_tickets       hs      flag
  ssl_session_ticket_key    hs      1     *
  ssl_buffer_size           hs      1
  ssl_dhparam               hs      1
  ssl_ecdh_curve            hs      1
  ssl_stapling              hs      flag
  ssl_stapling_file         hs      1
  ssl_stapling_responder    hs      1
  ssl_stapling_verify       hs      flag
  ssl_early_data            hs      flag
  # certificates of clients, which nobody asks for until ssl_verify_client does, and that is a fault
  ssl_trusted_certificate   hs      1
  ssl_client_certificate    hs      1
  ssl_verify_depth          hs      1
  ssl_crl                   hs      1
  # bounds and timers of HTTP/2, which the runtime has its own of; what is pushed a client may ignore
  http2_max_concurrent_streams hs   1
  http2_max_concurrent_pushes hs    1
  http2_max_requests        hs      1
  http2_max_field_size      hs      1
  http2_max_header_size     hs      1
  http2_body_preread_size   hs      1
  http2_idle_timeout        hs      1
  http2_recv_timeout        hs      1
  http2_recv_buffer_size    h       1
  http2_chunk_size          hsl     1
  http2_push                hsl     1     *
  http2_push_preload        hsl     flag
  # tunes what is a fault itself (limit_rate, sub_filter, ssi)
  limit_rate_after          hsli    1
  sub_filter_once           hsl     flag
  sub_filter_types          hsl     1+    *
  sub_filter_last_modified  hsl     flag
  ssi_silent_errors         hsl     flag
  ssi_types                 hsl     1+    *
  # how long a refused password is waited for: here a refusal takes as long as the hash does
  auth_delay                hsl     1
`;
