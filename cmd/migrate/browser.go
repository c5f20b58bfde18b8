package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
)

// show brings the address of a web login to the user. It is printed in any case: a browser may open on another screen, or not at all.
func (a *app) show(noBrowser bool) func(context.Context, string) error {
	return func(_ context.Context, address string) error {
		lead := "log in at"
		if !noBrowser && a.openBrowser(address) == nil {
			lead = "the browser opens; if it does not, log in at"
		}
		_, err := fmt.Fprintf(a.stderr, "%s\n  %s\n", lead, address)
		return err
	}
}

// openBrowser starts the user's browser and does not wait for it. The address holds no secret: who reads it from the process list cannot
// use it without the verifier, which stays in this process.
func (a *app) openBrowser(address string) error {
	var command []string
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", address}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	default:
		x, _ := a.env("DISPLAY")
		wayland, _ := a.env("WAYLAND_DISPLAY")
		if x == "" && wayland == "" {
			return fmt.Errorf("no display")
		}
		command = []string{"xdg-open", address}
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = childEnv()
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}
