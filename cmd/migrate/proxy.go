package main

import (
	"net/url"
	"strings"
)

// checkProxies refuses a proxy in the environment that cannot be one. net/http would pass over it and connect directly. The value is not
// shown: it may hold a password.
func (a *app) checkProxies() error {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		v, ok := a.env(name)
		if !ok || v == "" {
			continue
		}
		if !isProxy(v) && (strings.Contains(v, "://") || !isProxy("http://"+v)) { // the scheme may be left out
			return usagef("%s is no address of a proxy, such as http://proxy.example.com:8080", name)
		}
	}
	return nil
}

func isProxy(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return false
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return true
	}
	return false
}
