// A Vault for the tests: the real core and HTTP API with the plugins that the framework uses, on
// storage in a folder. It starts sealed, as the vault command does.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/command/server"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

var (
	address     = flag.String("address", "127.0.0.1:8200", "where to listen")
	certificate = flag.String("certificate", "", "file with the certificate chain of the listener")
	key         = flag.String("key", "", "file with its key")
	storage     = flag.String("storage", "", "folder of the data")
)

var (
	engines = map[string]logical.Factory{"transit": transit.Factory}
	logins  = map[string]logical.Factory{"approle": approle.Factory, "kubernetes": kubernetes.Factory}
)

func main() {
	flag.Parse()
	log := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Info, Output: os.Stderr})
	if err := serve(log); err != nil {
		log.Error("cannot serve", "error", err)
		os.Exit(1)
	}
}

func serve(log hclog.Logger) error {
	data, err := file.NewFileBackend(map[string]string{"path": *storage}, log.Named("storage"))
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           data,
		StorageType:        "file",
		Logger:             log,
		DisableMlock:       true,
		LogicalBackends:    engines,
		CredentialBackends: logins,
		BuiltinRegistry:    registry{},
		RedirectAddr:       "https://" + *address,
		RawConfig:          &server.Config{SharedConfig: &configutil.SharedConfig{}},
	})
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", *address, &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
	})
	if err != nil {
		return err
	}
	api := &http.Server{Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core: core,
		ListenerConfig: &configutil.Listener{
			Address:        *address,
			MaxRequestSize: vaulthttp.DefaultMaxRequestSize,
		},
	})}
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go func() {
		<-stopping.Done()
		api.Close()
	}()
	if err := api.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return core.ShutdownWait()
}

// registry names the plugins above: without one, enabling a login method panics.
type registry struct{}

func (registry) of(kind consts.PluginType) map[string]logical.Factory {
	switch kind {
	case consts.PluginTypeSecrets:
		return engines
	case consts.PluginTypeCredential:
		return logins
	}
	return nil
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	return r.of(kind)[name] != nil
}

func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := r.of(kind)[name]
	return func() (any, error) { return factory, nil }, ok
}

func (r registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range r.of(kind) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
